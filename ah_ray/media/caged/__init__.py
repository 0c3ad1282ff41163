"""What runs inside the cage: libav, and all that touches what a recording may hold.

    recording ──scan──▶ packet lists ──▶ timeline ──▶ picks ──▶ pictures, sound ──▶ clips

Each recording gets a process of its own, forked from a warm parent (`server`). It holds two
descriptors, the recording and a socket, and can open nothing else. The other end of the socket
(`media.decode_process`) checks every message and believes none.
"""
