"""The runtime "exec" with a real program: good, crashing, hanging, talking rubbish."""
import os
import shutil

import jobs

r = jobs.Runner()
source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "exec_program.py")
program = r.file("programs_model.py", "")
os.makedirs(f"{r.dir}/programs", exist_ok=True)
os.chmod(f"{r.dir}/programs", 0o755)
program = f"{r.dir}/programs/model.py"
shutil.copy(source, program)
os.chmod(program, 0o755)
outside = r.file("outside.py", "#!/usr/bin/env python3\n", 0o755)
not_executable = r.file("programs/data.txt", "hello\n")
os.symlink(outside, f"{r.dir}/programs/link.py")

INPUT = {"name": "input", "datatype": "FP32", "data": [[1, 2, 3.5], [0, 0, 0]]}


def runtime(way, path=program, directories=(f"{r.dir}/programs",), **more):
    return {"kind": "exec", "command": [path, way], "directories": list(directories), **more}


def ask(way, timeout_ms=30000, expect=None, inputs=None, cases=1, **more):
    case = {"name": "a question", "inputs": inputs or [INPUT], "timeout_ms": timeout_ms,
            "expect": expect or [{"output": "y", "data": [6.5, 0]}]}
    return r.run("unit", {"cases": [case] * cases}, runtime(way, **more))


r.expect("good", ask("good", cases=3), "passed")
for way, timeout_ms, status, *parts in [
    ("crash", 30000, "failed", "ended instead of answering: killed by SIGSEGV (Segmentation fault)"),
    ("exit", 30000, "failed", "ended instead of answering: exit status 3 (model)"),
    ("hang", 1500, "failed", "gave no answer in time and was ended (timeout)"),
    ("garbage", 30000, "failed", "something that is not JSON", "Loading model... done (protocol)"),
    ("id", 30000, "failed", "answered without the question's id, 1 (protocol)"),
    ("nan", 30000, "failed", "answered with NaN, which is no number of JSON"),
    ("shape", 30000, "failed", "output 'y' the shape [9], which is 9 elements, but 1 elements"),
]:
    r.expect(way, ask(way, timeout_ms), status, *parts)
r.expect("large", ask("large", max_answer_bytes=100000), "failed", "more than 100000 bytes")
r.expect("refused", ask("good", inputs=[{"name": "other", "data": [1]}]), "failed",
         "says: the input must be FP32 [rows,3] (input)")

# After a crash the next question gets a new program.
result = ask("once", cases=2)
r.expect("once", result, "failed", "killed by SIGKILL", "case.a_question=ok")

# A small environment, and no descriptors but its own three (the fourth reads /proc).
result = ask("env", expect=[{"data": ["HOME LANG LC_CTYPE PATH TMPDIR", "0 1 2 3"]}])
seen = " ".join(c["detail"] for c in result["checks"])
r.check("environment", result["status"] == "passed" or '"HOME LANG PATH TMPDIR"' in seen)

# Whose child holds the pipe open: it is a hang, and nobody is left.
result = ask("child", timeout_ms=1500)
r.check("child", result["status"] == "failed")

# What may be run.
for what, path, directories, part in [
    ("outside", outside, [f"{r.dir}/programs"], "lies in none of the directories"),
    ("link", f"{r.dir}/programs/link.py", [f"{r.dir}/programs"], "lies in none of the directories"),
    ("none allowed", program, [], "lies in none of the directories"),
    ("prefix", program, [f"{r.dir}/prog"], "lies in none of the directories"),
    ("relative", "programs/model.py", [r.dir], "its path must be absolute"),
    ("missing", f"{r.dir}/programs/no", [r.dir], "No such file or directory"),
    ("no program", not_executable, [r.dir], "cannot be started: Permission denied"),
]:
    r.expect(what, ask("good", path=path, directories=directories), "error", part)

# The whole way.
data = r.file("rows.csv", "a,b,c,y\n" + "".join(f"{i},{i + 1},{i + 2},1\n" for i in range(20)))
rows = [{"name": "rows", "path": data, "format": "csv", "label": "y"}]
r.expect("integration", r.run("integration", {"platform": "python"}, runtime("good"), datasets=rows),
         "passed", "bad.shape=ok", "concurrent=ok 40 questions by 4 threads, 0 answered otherwise")
r.expect("smoke", r.run("smoke", {"limit_ms": 60000}, runtime("good")), "passed", "finite=ok")
r.end()
