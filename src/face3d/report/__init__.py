"""Reports: pages that open offline, and the pictures on them."""
