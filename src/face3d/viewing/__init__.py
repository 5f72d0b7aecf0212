"""Results to look at outside of pages: in a window, in a notebook, as one picture."""
