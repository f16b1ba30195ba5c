"""WebSocket, measured beside others' and held against the cases of the Autobahn test suite."""
