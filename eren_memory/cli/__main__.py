"""`python -m eren_memory.cli`."""

from eren_memory.cli import main

main()
