// SPDX-License-Identifier: GPL-3.0-or-later
// node flamenco_stand_in.js SCRIPT: what Flamenco 3 gives to a job type, and nothing else: a script sees neither Node's
// modules nor its console. Reads a job as JSON from standard input; writes JOB_TYPE, the job's settings after it was
// compiled and its tasks, or the error.

const fs = require("fs");
const vm = require("vm");

const numbers = (text) => {
    const found = new Set();
    for (const part of text.trim().replaceAll("..", "-").split(",")) {
        const ends = part.split("-").map((end) => {
            if (!/^\s*[+-]?\d+\s*$/.test(end)) throw new Error(`invalid range "${text}": ${part}`);
            return parseInt(end);
        });
        if (ends.length > 2) throw new Error(`invalid range "${text}": ${part}`);
        for (let frame = ends[0]; frame <= ends[ends.length - 1]; frame++) found.add(frame);
    }
    return [...found].sort((a, b) => a - b);
};

// Two frames beside each other are "1,2", more are "1-3".
const merged = (frames) => {
    const runs = [];
    for (const frame of frames) {
        const last = runs[runs.length - 1];
        if (last && frame === last[1] + 1) last[1] = frame;
        else runs.push([frame, frame]);
    }
    return runs.map(([a, b]) => (a === b ? `${a}` : b === a + 1 ? `${a},${b}` : `${a}-${b}`)).join(",");
};

const frameChunker = (range, size) => {
    if (!range.trim()) throw new Error("empty range");
    if (!(size >= 1)) throw new Error(`invalid chunk size, must be positive number: ${size}`);
    const frames = numbers(range), chunks = [];
    if (!frames.length) throw new Error("empty range");
    for (let i = 0; i < frames.length; i += size) chunks.push(merged(frames.slice(i, i + size)));
    return chunks;
};

let count = 0;
const author = {
    Task(name, type) {
        if (typeof name !== "string" || !name.trim()) throw new Error("author.Task(name, type): name is required");
        if (typeof type !== "string" || !type.trim()) throw new Error("author.Task(name, type): type is required");
        const task = { uuid: `task${++count}`, name: name.trim(), type: type.trim(), priority: 50, commands: [], dependencies: [] };
        Object.defineProperty(task, "addCommand", { value: (command) => task.commands.push({ ...command }) });
        Object.defineProperty(task, "addDependency", { value: (other) => { task.dependencies.push(other.uuid); } });
        return task;
    },
    Command(name, parameters, totalStepCount = 0) {
        if (typeof name !== "string") throw new Error("author.Command: name is no string");
        return { name, parameters, totalStepCount };
    },
};

// Paths of any platform: the separator is the one that is there.
const separator = (text) => (text.includes("\\") ? "\\" : "/");
const base = (text) => text.split(/[\\/]/).pop();
const path = {
    basename: base,
    dirname: (text) => text.slice(0, Math.max(text.lastIndexOf("/"), text.lastIndexOf("\\"))),
    join: (...parts) => parts.filter((part) => part).join(separator(parts[0])),
    stem: (text) => base(text).replace(/\.[^.]*$/, ""),
};

const tasks = [], printed = [];
const said = (...values) => { printed.push(values.map(String).join(" ")); };
const sandbox = {
    author, path, frameChunker, frameCount: (range) => numbers(range).length,
    print: said, alert: said, formatTimestampLocal: () => "2030-01-31_120000",
};
const context = vm.createContext(sandbox);
vm.runInContext(fs.readFileSync(process.argv[2], "utf8"), context, { filename: process.argv[2] });
const told = JSON.parse(fs.readFileSync(0, "utf8"));
// A task that is added is copied: what it gets afterwards is lost.
const job = { ...told, created: {}, addTask: (task) => { tasks.push(JSON.parse(JSON.stringify(task))); } };
sandbox.job = job;
const answer = { type: JSON.parse(vm.runInContext("JSON.stringify(JOB_TYPE)", context)), printed };
try {
    vm.runInContext("compileJob(job)", context);
    Object.assign(answer, { settings: job.settings, tasks });
} catch (error) {
    answer.error = String(error.message || error);
}
process.stdout.write(JSON.stringify(answer));
