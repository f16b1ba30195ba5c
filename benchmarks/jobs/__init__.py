"""The jobs, by the kind of work; all of them in the order of the tables."""

from __future__ import annotations

from . import bulk, calls, loaded, messages
from .job import Job

JOBS: dict[str, Job] = {job.name: job for job in (*messages.JOBS, *loaded.JOBS, *calls.JOBS, *bulk.JOBS)}
