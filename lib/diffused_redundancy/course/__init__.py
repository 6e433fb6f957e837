"""The course: notebooks of exercises, their solutions, slides and graded assignments, all built
from the percent scripts in ``course/``.

Metadata of a cell say what it is for::

    exercise="cka" level=1 minutes=10 points=2   the text of an exercise (Markdown)
    exercise="cka" part="write"                  a function, with regions that students write
    exercise="cka" part="check"                  lab.check("cka", cka)
    audience="instructor"                        only in the instructor's notebooks
    audience="solution"                          in these and in the solutions
    slide="slide"                                on slides; also subslide, fragment, notes
    alt="Two curves ..."                         what the figure of a cell shows, in words

A region stands between the lines ``### BEGIN SOLUTION`` and ``### END SOLUTION``. What is said to
the speaker (``slide="notes"``) is in no student's notebook either.
"""
