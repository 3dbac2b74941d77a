"""What is on the ground: boundaries, needs, buildings, travel; their checks; the reference city."""
