"""A report: an output as one HTML page for people, which needs nothing else.

    settings     the flags, and what must not go together
    make         the whole way from OUT to a file
    trust        the first thing on the page: the headline against the best baseline, or length bias
    overview     the first screen in numbers: scored, failed and why, answers, distribution
    nights       the last run against the one before it
    control      figures of all nights, with control limits
    people       participants and their visits
    videos       the table of videos and their timelines, as compact columns
    finite       numbers of foreign tables that are not finite
    links        the place of a recording, as a URL
    wording      what a verdict rests on, in words
    pictures     thumbnails, only with --with-frames
    plot         places of values in a drawing
    page         templates, style and script become one text
    view         what the terminal shows

Names, paths and pictures enter only where a setting says so. Everything is text until the browser
shows it: templates escape, and the script never makes HTML out of strings.
"""
