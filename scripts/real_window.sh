#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# FaceDetail in a real Blender window, with real mouse clicks and keys:
#
#     bash scripts/real_window.sh PHOTO [--root DIR] [--zip ZIP] [--output DIR]
#
# Debian trixie's Blender runs under Xvfb (Mesa's software OpenGL) in a folder of its own, made by debootstrap when it is
# missing (2.5 GB, some minutes) and used again after that. The zip is installed as an artist installs it; then
# real_window/session.py clicks through one cancelled and one finished reconstruction, checks the scene, measures for how
# long the window stands still, takes screenshots, makes contact sheets, presses all buttons of a head (Pose, Add Rig, Live
# Link, Game-Ready, Export), and opens another file and quits during a job.
# Prints a line for each check; exit status 0 when all have passed.
# Needs root, debootstrap and a network for the first run; chroot and mount always.
#
#   --root DIR    Debian's folder (build/trixie)
#   --zip ZIP     the extension to install. Without it one is built for Debian's Blender 4.3 on Python 3.13: the add-on
#                 as it is, its Blender versions set to 4.3 and later, the lowest torch put down to Debian's 2.6, no
#                 wheels but embreex; torch and the rest are Debian's.
#   --output DIR  for screenshots and report.json (build/real_window)
set -eu

repository="$(realpath "$(dirname "${BASH_SOURCE[0]}")/..")"
root="$repository/build/trixie"
output="$repository/build/real_window"
zip="" photo=""
while [ $# -gt 0 ]; do
    case "$1" in
        --root) root="$2"; shift 2 ;;
        --zip) zip="$2"; shift 2 ;;
        --output) output="$2"; shift 2 ;;
        -*) echo "error: unknown option $1" >&2; exit 2 ;;
        *) photo="$1"; shift ;;
    esac
done
if [ ! -f "$photo" ]; then
    echo "usage: bash scripts/real_window.sh PHOTO [--root DIR] [--zip ZIP] [--output DIR]" >&2
    exit 2
fi

PACKAGES="blender xvfb xdotool libgl1-mesa-dri libegl1 imagemagick fonts-dejavu-core python3 python3-pip \
python3-torch python3-tifffile python3-scipy python3-opencv python3-h5py python3-safetensors python3-pil"
EMBREEX="embreex==4.4.0.post1"
HOME_INSIDE="/root/facedetail"

inside() {
    chroot "$root" env -i HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
        LIBGL_ALWAYS_SOFTWARE=1 BLENDER_USER_RESOURCES="$HOME_INSIDE/blender" "$@"
}

make_root() {
    if [ ! -x "$root/usr/bin/apt-get" ]; then
        mkdir -p "$root"
        debootstrap --variant=minbase --include=ca-certificates trixie "$root" http://deb.debian.org/debian >&2
    fi
    local missing="" package
    for package in $PACKAGES; do
        inside dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        chroot "$root" apt-get update -qq >&2
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -qq --no-install-recommends $missing >&2
    fi
}

# The add-on as Blender's builder wants it, for Debian's Blender.
stage() {
    local staged="$1" wheels="$repository/build/wheels-cp313"
    mkdir -p "$staged/wheels" "$wheels"
    cp -r "$repository/facedetail_addon/." "$repository/LICENSE" "$repository/LICENSES" "$staged"
    find "$staged" -name __pycache__ -prune -exec rm -r {} +
    if ! ls "$wheels"/embreex-*.whl >/dev/null 2>&1; then
        "${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --python-version 3.13 --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
            --dest "$wheels" "$EMBREEX" >&2
    fi
    cp "$wheels"/embreex-*.whl "$staged/wheels"
    [ ! -f "$staged/requirements.py" ] || sed -i 's/^TORCH = .*/TORCH = (2, 6)/' "$staged/requirements.py"
    sed -e 's/^blender_version_min.*/blender_version_min = "4.3.0"/' -e '/^blender_version_max/d' \
        -e "s|^\[permissions\]|wheels = [\"./wheels/$(basename "$staged"/wheels/embreex-*.whl)\"]\n\n[permissions]|" \
        "$repository/blender_manifest.toml" > "$staged/blender_manifest.toml"
}

make_root
mounted=""
if ! mountpoint -q "$root/proc"; then
    mount -t proc proc "$root/proc"
    mounted="$root/proc"
fi
trap '[ -z "$mounted" ] || umount "$mounted"' EXIT

home="$root$HOME_INSIDE"
rm -rf "$home"
mkdir -p "$home/screenshots"
cp "$repository"/scripts/real_window/*.py "$home"
cp "$photo" "$home/$(basename "$photo")"
if [ -n "$zip" ]; then
    cp "$zip" "$home/facedetail.zip"
else
    stage "$home/staged"
    inside blender --background --command extension build --source-dir "$HOME_INSIDE/staged" \
        --output-filepath "$HOME_INSIDE/facedetail.zip" >&2
fi
inside blender --background --python-exit-code 1 --python "$HOME_INSIDE/install.py" -- "$HOME_INSIDE/facedetail.zip" >&2

status=0
inside python3 "$HOME_INSIDE/session.py" "$HOME_INSIDE/$(basename "$photo")" "$HOME_INSIDE/screenshots" || status=$?
mkdir -p "$output"
cp "$home"/screenshots/* "$output"
echo "screenshots and report: $output"
exit "$status"
