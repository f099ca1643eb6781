"""Pages, figures and the methods in words, made from the files of the output folder alone.

Nothing is computed anew here, so that `--reports-only` shows what a run showed.
"""
