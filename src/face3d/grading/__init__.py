"""Networks say how ill, how sure and why. Never imports what trains them."""
