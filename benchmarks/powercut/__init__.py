"""What a power cut leaves of a store: records what the storage really does to its files, and opens what a cut could have left of them.

``recorder.c`` and ``recording`` write down a run of ``workload``; ``disk`` builds images of what a disk may hold at a moment of it;
``account`` says what must be in them; ``judge`` opens them with the real storage and compares. ``ablations`` switches safeguards off.
"""
