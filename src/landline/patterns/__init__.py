"""What people do with a session. So far: ``messages``."""
