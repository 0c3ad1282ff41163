#!/bin/sh
# Stands for `ah-ray`: notes its arguments in $CALLS, and exits with the status of this try ($STATUSES).
echo "$@" >> "$CALLS"
set -- $STATUSES
shift $(($(wc -l < "$CALLS") - 1))
exit "$1"
