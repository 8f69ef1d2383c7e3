"""Share what tests on the lab need: an installation of their own, edited and applied like a user's."""
