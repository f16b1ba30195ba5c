"""What helps to test programs built on landline; shipped to users and used by landline's own tests.

The conformance suites are written for pytest with pytest-asyncio and are imported by their module, so that nothing else here needs
either: ``from landline.testing.storage_conformance import StorageConformance``.
"""
