"""The course: what students and lecturers get, built from the sources in ``course/``."""
