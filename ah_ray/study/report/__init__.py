"""One page that a person reads: an output as a single HTML file, which needs nothing else.

    settings     what goes in, and what must not
    overview     the first screen in numbers: scored, failed and why, verdicts, distribution
    nights       tonight against last night
    videos       the table of videos and their timelines, as compact columns
    links        a moment in a recording, as a URL
    view         what the terminal says of it
    words        what a verdict rests on, in words
    pictures     thumbnails, only where they are asked for
    plot         from values to places in a drawing
    page         templates, style and script become one text
    make         all of it, from OUT to a file

Names, paths and pictures enter only where a setting says so. Everything is text until the browser
shows it: templates escape, and the script never makes HTML out of strings.
"""
