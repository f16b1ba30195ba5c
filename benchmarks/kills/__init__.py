"""Real kills: a server and its clients under load, ``kill -9`` at random moments and at named points, and books that must agree."""
