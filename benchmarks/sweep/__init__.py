"""What planning a sweep costs."""
