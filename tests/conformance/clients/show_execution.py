"""Print an execution as JSON on one line: `show_execution.py PROJECT DOMAIN NAME`. Run by a client's interpreter."""

import json
import os
import sys

import grpc
from flyteidl.admin import execution_pb2
from flyteidl.core import identifier_pb2
from flyteidl.service import admin_pb2_grpc
from google.protobuf import json_format

project, domain, name = sys.argv[1:]
stub = admin_pb2_grpc.AdminServiceStub(grpc.insecure_channel(os.environ["FLYTE_PLATFORM_URL"]))
identifier = identifier_pb2.WorkflowExecutionIdentifier(project=project, domain=domain, name=name)
found = stub.GetExecution(execution_pb2.WorkflowExecutionGetRequest(id=identifier))
print(json.dumps(json_format.MessageToDict(found, preserving_proto_field_name=True), sort_keys=True))
