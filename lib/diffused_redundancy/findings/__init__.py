"""What each notebook finds: tables, statements and verdicts, made from measurements."""
