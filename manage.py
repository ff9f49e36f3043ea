#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cs_platform.settings")
    if "DATABASE_URL" not in os.environ:
        from cs_platform.embedded.servers import published_environment

        os.environ.update(published_environment())
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
