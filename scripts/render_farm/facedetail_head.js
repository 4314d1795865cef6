// SPDX-License-Identifier: GPL-3.0-or-later
// A job type of Flamenco 3: a head's scene, or a turntable around the head, in chunks of frames, and a film of them.
// README.md says how to set it up.

const TURNTABLE = "Turntable", SCENE = "Scene";

const JOB_TYPE = {
    label: "FaceDetail Head",
    description: "Render a head's scene, or a turntable around the head, and make a film of it",
    settings: [
        { key: "picture", type: "string", required: true, choices: [TURNTABLE, SCENE], default: TURNTABLE,
          description: "A turn around the head in studio light, or the file's scene through its camera" },
        { key: "turn_frames", type: "int32", required: true, default: 48, propargs: { min: 2, max: 1000 },
          description: "Turntable: frames of a whole turn; the film has 24 a second" },
        { key: "height", type: "int32", required: true, default: 1080, propargs: { min: 64, max: 2160 },
          description: "Turntable: height of a picture in pixels, its width is four fifths" },
        { key: "samples", type: "int32", required: true, default: 64, propargs: { min: 1, max: 4096 },
          description: "Turntable: samples of Cycles per pixel" },
        { key: "head", type: "string", required: false, default: "",
          description: "Turntable: name of the head's empty; without a name the file's only head" },
        { key: "frames", type: "string", required: true, eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
          evalInfo: { showLinkButton: true, description: "The scene's frame range" },
          description: "Scene: frames to render, such as '47', '1-30' or '3, 5-10'" },
        { key: "engine", type: "string", required: false, default: "CYCLES",
          description: "Scene: render engine; without one the file's own" },
        { key: "chunk_size", type: "int32", required: true, default: 4, propargs: { min: 1, max: 1000 },
          visible: "submission", description: "How many frames a task renders" },

        { key: "render_output_root", type: "string", subtype: "dir_path", required: true, visible: "submission",
          description: "Folder on the shared storage that gets a folder for this job" },
        { key: "add_path_components", type: "int32", required: true, default: 0, propargs: { min: 0, max: 32 },
          visible: "submission", description: "How many of the folders around the Blender file its name is to have" },
        { key: "render_output_path", type: "string", subtype: "file_path", editable: false,
          eval: "str(Path(abspath(settings.render_output_root), last_n_dir_parts(settings.add_path_components), jobname, '{timestamp}', '######'))",
          description: "Where pictures and film will be" },

        { key: "blendfile", type: "string", required: true, visible: "web",
          description: "The Blender file with the head, such as a result's scene.blend" },
        { key: "scene", type: "string", required: true, eval: "C.scene.name", visible: "web",
          description: "Name of the scene" },
        { key: "fps", type: "float", eval: "C.scene.render.fps / C.scene.render.fps_base", visible: "hidden" },
        { key: "format", type: "string", required: true, eval: "C.scene.render.image_settings.file_format",
          visible: "web" },
        { key: "image_file_extension", type: "string", required: true, eval: "C.scene.render.file_extension",
          visible: "hidden" },
    ]
};

const TURNTABLE_SCRIPT = "{facedetail}/scripts/render_farm/turntable_frames.py";
const TURNTABLE_FPS = 24;
// What FFmpeg can read: pictures of 8 or 16 bits.
const FILMED = ["PNG", "JPEG", "TIFF", "BMP", "TARGA", "TARGA_RAW"];
const VIDEO = ["FFMPEG", "AVI_RAW", "AVI_JPEG"];

function compileJob(job) {
    const settings = job.settings;
    const output = outputPath(job);
    // So that the job tells the place that it has used.
    settings.render_output_path = output;
    const folder = path.dirname(output);
    const isTurntable = settings.picture === TURNTABLE;
    if (!isTurntable && settings.picture !== SCENE) {
        throw `There is no picture "${settings.picture}": choose "${TURNTABLE}" or "${SCENE}".`;
    }
    if (!isTurntable && VIDEO.indexOf(settings.format) >= 0) {
        throw `The scene's output format is a film, "${settings.format}". Choose a picture format: the film is made here.`;
    }
    const frames = isTurntable ? `1-${settings.turn_frames}` : settings.frames;

    const renderTasks = frameChunker(frames, settings.chunk_size).map(
        (chunk) => isTurntable ? turntableTask(settings, folder, chunk) : sceneTask(settings, output, chunk));
    for (const task of renderTasks) {
        job.addTask(task);
    }
    const filmTask = isTurntable
        ? film(folder, "turntable_*.png", TURNTABLE_FPS, path.join(folder, "turntable.mp4"))
        : sceneFilm(settings, folder, frames);
    if (filmTask) {
        for (const task of renderTasks) {
            filmTask.addDependency(task);
        }
        job.addTask(filmTask);
    }
}

function outputPath(job) {
    const asked = job.settings.render_output_path;
    if (!asked) {
        throw "The setting render_output_path is empty: choose an output folder.";
    }
    return asked.replace("{timestamp}", formatTimestampLocal(job.created));
}

function turntableTask(settings, folder, chunk) {
    const head = settings.head ? ["--head", settings.head] : [];
    return blenderTask(`turntable-${chunk}`, settings, [
        // Without it Blender ends well even where the script has failed, and the task would count as done.
        "--python-exit-code", "1",
        "--python", TURNTABLE_SCRIPT,
        "--",
        "--package", "{facedetail}",
        "--site", "{facedetailPackages}",
        "--output", folder,
        "--frames", `${settings.turn_frames}`,
        "--only", chunk,
        "--height", `${settings.height}`,
        "--samples", `${settings.samples}`,
    ].concat(head));
}

function sceneTask(settings, output, chunk) {
    const scene = settings.scene ? ["--scene", settings.scene] : [];
    const engine = settings.engine ? ["--engine", settings.engine] : [];
    return blenderTask(`render-${chunk}`, settings, scene.concat(engine, [
        "--render-output", output,
        "--render-format", settings.format,
        "--render-frame", chunk.replaceAll("-", ".."), // ranges as Blender writes them
    ]));
}

function blenderTask(name, settings, args) {
    const task = author.Task(name, "blender");
    task.addCommand(author.Command("blender-render", {
        exe: "{blender}",
        exeArgs: "{blenderArgs}",
        argsBefore: [],
        blendfile: settings.blendfile,
        args: args,
    }));
    return task;
}

function sceneFilm(settings, folder, frames) {
    if (frameChunker(frames, 1).length < 2) {
        return null;
    }
    if (FILMED.indexOf(settings.format) < 0 || !settings.fps) {
        print(`No film is made of pictures in the format ${settings.format} at ${settings.fps} frames a second`);
        return null;
    }
    const name = path.stem(settings.blendfile).replace(".flamenco", "");
    return film(folder, `*${settings.image_file_extension}`, settings.fps, path.join(folder, `${name}.mp4`));
}

function film(folder, pictures, fps, file) {
    const task = author.Task("film", "ffmpeg");
    task.addCommand(author.Command("frames-to-video", {
        exe: "ffmpeg",
        fps: fps,
        inputGlob: path.join(folder, pictures),
        outputFile: file,
        args: [
            "-c:v", "h264", "-crf", "18",
            // H.264 halves the resolution of colour, so sides are even.
            "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p",
            "-y",
        ],
    }));
    return task;
}
