"""Fixtures of the command tests."""

import pytest
from django.core.management import ManagementUtility


@pytest.fixture
def run(capsys):
    """Run ``manage.py`` with the arguments; return its exit code, standard output and standard error."""

    def manage(*arguments):
        code = 0
        try:
            ManagementUtility(["manage.py", *map(str, arguments)]).execute()
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return manage
