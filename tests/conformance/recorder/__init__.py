"""Records what an endpoint's API says and holds one recording against another.

What may live here: the two halves of a comparison. Pure: `canonical` (a reply without what must differ), `compare` (differences as
lines), `rows` (the two files of what is left out and what is accepted), `recordings` (files of answers). Driving an endpoint:
`observe` (what the API says of an execution), `drive` (a scenario's steps), `steps` (their vocabulary), `__main__` (the command).
No knowledge of any one scenario or call.

**An answer** is what one call gave: a message of stock `flyteidl`, or a `grpc.RpcError` reduced to code, text and details. A
**recording** maps keys to answers, such as `1/n0/task 0` -> TaskExecution; a key is where a difference is seen. Recordings keep
the raw replies; what must differ (names, times, addresses) is replaced when two are compared, on both sides alike:

    theirs = recordings.load(path)                    # Recording(version, answers)
    ours = recordings.Recording(version, {"GetTask/unknown": recordings.answer_of(error), ...})
    found = compare.differences("calls/tasks", theirs.answers, ours.answers, rows.ignored_fields())
    verdict = compare.sort_out(found, rows.accepted())           # .different, .accepted (row -> differences)
    print(*map(str, verdict.different), sep="\n")

`canonical.Names.of(answers)` finds the executions' names in all answers of a recording, `canonical.value(message, names, ignored)`
gives the JSON that is compared. `ignored.toml` names fields as `flyteidl.admin.TaskExecutionClosure.reasons`: message and field;
`accepted.toml` names cases, keys and both answers, in shell patterns where several are meant.
"""
