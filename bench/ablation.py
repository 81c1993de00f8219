#!/usr/bin/env python3
"""Trains and evaluates every row of a table, and prints the table. Standard library only.

    bench/ablation.py run [FILE] [--only KEY,...]   what has no result yet, in the order of the file
    bench/ablation.py table [FILE]                  the results as Markdown

A row of FILE (bench/ablation.txt) is "table | key | seeds | flags of forger train". Each pair of row and seed becomes one
run of `forger train ... --threads 1` and one of `forger eval --format json`; the answer is stored with the command as
RESULTS/KEY-seedN.json. Several of these programs may share one folder of results: a row is claimed before it is run.
"""
import argparse, json, os, pathlib, re, resource, shutil, statistics, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
IMAGES = [("FDz", "fdz", 2), ("/floor", "fdz/floor", 1), ("score", "score_ratio", 3), ("coverage", "coverage", 3),
          ("density", "density", 2), ("class TV", "class_tv", 3)]
MIXTURE = [("modes", "modes", 0), ("high quality", "high_quality", 3), ("reverse KL", "reverse_kl", 4),
           ("sigma ratio", "sigma_ratio", 2)]
COLUMNS = {"stacked": [("modes", "modes", 0), ("KL", "kl", 3)], "points": MIXTURE,
           "normal1d": [("W1", "w1", 3), ("KL", "kl", 4), ("KS", "ks", 3), ("sigma ratio", "sigma_ratio", 3)],
           "pattern": [("in the box", "in_box", 3), ("mean error", "mean_error", 3), ("KS", "ks", 3),
                       ("correlation", "correlation", 3)]}
# Of two values of a figure the worse one; everything else is better when it is small.
MORE_IS_BETTER = {"score_ratio", "coverage", "modes", "high_quality", "in_box"}
RATIOS = {"density", "sigma_ratio"}  # best at 1


def rows(path):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            table, key, seeds, flags = (part.strip() for part in line.split("|", 3))
            yield {"table": table, "key": key, "seeds": seeds.split(), "flags": flags}


def claim(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def run_row(row, seed, args):
    """True if there was something to do."""
    name = f"{row['key']}-seed{seed}"
    result = args.results / f"{name}.json"
    args.work.mkdir(parents=True, exist_ok=True)
    args.results.mkdir(parents=True, exist_ok=True)
    if result.exists() or not claim(args.work / f"{name}.claim"):
        return False
    run = args.work / name
    shutil.rmtree(run, ignore_errors=True)
    flags = f"{row['flags']} --threads 1 --seed {seed}"
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    print(f"{time.strftime('%H:%M:%S')} {name}: forger train {flags}", flush=True)
    start = time.time()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = used.ru_utime + used.ru_stime
    with open(args.work / f"{name}.log", "w") as log:
        train = subprocess.run([args.forger, "train", *flags.split(), "--out", str(run)], cwd=ROOT, env=environment, stdout=log,
                               stderr=log)
    seconds = time.time() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before
    answer = {"command": f"build/release/forger train {flags}", "table": row["table"], "machine": args.machine,
              "date": time.strftime("%Y-%m-%d"), "commit": args.commit, "train_seconds": round(seconds),
              "train_cpu_seconds": round(cpu)}
    if train.returncode == 0:
        done = subprocess.run([args.forger, "eval", str(run), "--format", "json"], cwd=ROOT, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if not done.stdout:
            sys.exit(f"{name}: forger eval wrote nothing (exit code {done.returncode})")
        answer["figures"] = json.loads(done.stdout)
        answer["figures"].pop("samples", None)
    else:
        answer["failed"] = f"forger train: exit code {train.returncode}"
    result.write_text(json.dumps(answer, indent=1) + "\n")
    figures = answer.get("figures", {})
    print(f"{time.strftime('%H:%M:%S')} {name}: {seconds:.0f} s, {figures.get('verdict', answer.get('failed'))}", flush=True)
    return True


def run(args):
    """Reads the file again after every run, so that rows may be added meanwhile."""
    while True:
        for row in rows(args.file):
            if args.only and row["key"] not in args.only and row["table"] not in args.only:
                continue
            if any(run_row(row, seed, args) for seed in row["seeds"]):
                break
        else:
            return


def value(figures, key):
    if key.endswith("/floor"):
        name = key.removesuffix("/floor")
        return figures[name] / figures["floor"][name]
    return figures[key]


def worst(values, key):
    if key in RATIOS:
        return max(values, key=lambda v: abs(v - 1))
    return min(values) if key in MORE_IS_BETTER else max(values)


def cell(values, key, digits):
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) > 1 and f"{worst(values, key):.{digits}f}" != text:
        text += f" ({worst(values, key):.{digits}f})"
    return text


def table(args):
    groups = {}
    for row in rows(args.file):
        if not args.only or row["key"] in args.only or row["table"] in args.only:
            groups.setdefault(row["table"], []).append(row)
    for name, group in groups.items():
        columns = COLUMNS.get(name.split("-")[0], IMAGES)
        print(f"\n### {name}\n\n| `build/release/forger train ...` | seeds | " + " | ".join(c[0] for c in columns) +
              " | verdicts |\n|---|---|" + "---|" * (len(columns) + 1))
        for row in group:
            files = [args.results / f"{row['key']}-seed{seed}.json" for seed in row["seeds"]]
            answers = [json.loads(f.read_text()) for f in files if f.exists()]
            done = [a["figures"] for a in answers if "figures" in a]
            if not done:
                continue
            cells = [cell([value(f, key) for f in done], key, digits) for _, key, digits in columns]
            words = [re.split(r"[:,]", f["verdict"])[0] for f in done]
            verdicts = ", ".join(f"{words.count(w)} {w}" for w in dict.fromkeys(words))
            failed = len(answers) - len(done)
            print(f"| `{row['flags']}` | {len(done)}{f' + {failed} failed' if failed else ''} | " + " | ".join(cells) +
                  f" | {verdicts} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("file", nargs="?", default=ROOT / "bench/ablation.txt")
    parser.add_argument("--only", type=lambda s: s.split(","), help="keys of rows or names of tables")
    parser.add_argument("--forger", default=str(ROOT / "build/release/forger"))
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "runs/ablation", help="folder for the runs")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "bench/results/cpu-2-zen4/evaluation")
    parser.add_argument("--machine", default="2 Zen 4 cores (AMD EPYC), one thread a run")
    parser.add_argument("--commit", default=subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"],
                                                           capture_output=True, text=True).stdout.strip())
    args = parser.parse_args()
    (run if args.what == "run" else table)(args)


if __name__ == "__main__":
    main()
