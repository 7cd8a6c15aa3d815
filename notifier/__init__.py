"""A watch brings polls, a poll a snapshot, a snapshot changes, changes events, events deliveries.

Data goes one way: source -> snapshot -> change -> event -> subscription -> delivery -> channel. Storage lies
beneath, the clock and the schedule beside; REST reads the same tables and never a private copy.
"""

__version__ = "0.1.0"
