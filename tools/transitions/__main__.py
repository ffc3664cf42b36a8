"""Print the table of a rollout's transitions in Markdown: docs/transitions.md (`make docs`)."""

import sys

from tools.transitions.text import render_page

if __name__ == "__main__":
    sys.stdout.write(render_page())
