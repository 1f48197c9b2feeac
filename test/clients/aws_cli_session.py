"""Runs commands of the AWS CLI one after the other in one process, because starting it takes longer than what it does.

A line on standard input is the arguments of `aws` as a JSON array; the line on standard output that answers it is
{"status": exit status, "stdout": text, "stderr": text}.
"""

import contextlib
import io
import json
import sys

from awscli.clidriver import AWSCLIEntryPoint, create_clidriver

# It keeps the model of AWS KMS, which it otherwise reads for every command.
driver = create_clidriver()

for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = AWSCLIEntryPoint(driver).main(json.loads(line))
    print(json.dumps({"status": status, "stdout": out.getvalue(), "stderr": err.getvalue()}), flush=True)
