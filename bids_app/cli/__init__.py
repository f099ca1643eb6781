"""The command line: words to settings, and what each sub-command does.

What is computed belongs to the levels; nothing else imports from here.
"""
