"""What must cost little: the floor under the message jobs, and the load that asks every server the same; C, compiled where it runs."""
