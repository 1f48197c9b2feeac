"""Runs commands of the AWS CLI one after the other in one process, because starting it takes longer than what it does.

A line on standard input is the arguments of `aws` as a JSON array; the line on standard output that answers it is
{"status": exit status, "stdout": text, "stderr": text}.
"""

import contextlib
import io
import json
import sys

from awscli import clidriver

# It keeps the model of AWS KMS, which it otherwise reads for every command.
driver = clidriver.create_clidriver()
# Version 2 has an entry point around it, which says what went wrong.
entry = clidriver.AWSCLIEntryPoint(driver) if hasattr(clidriver, "AWSCLIEntryPoint") else driver

for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = entry.main(json.loads(line))
    print(json.dumps({"status": status, "stdout": out.getvalue(), "stderr": err.getvalue()}), flush=True)
