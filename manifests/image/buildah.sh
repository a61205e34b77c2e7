# What `build` and `check` share: a buildah with a storage of its own, so that nothing else on the machine is touched.
# It is kept between runs in WORK; deleting that directory is always safe.
# shellcheck shell=sh

work=${WORK:-/var/tmp/holdfast-image}
mkdir -p "$work"

for program in buildah debootstrap flock unshare; do
  command -v "$program" > /dev/null || { echo "$program is missing: apt-get install buildah debootstrap util-linux" >&2; exit 1; }
done

# vfs works where overlay does not (an overlay on an overlay), but copies every layer.
if [ ! -e "$work/driver" ]; then
  mkdir -p "$work/probe/lower" "$work/probe/upper" "$work/probe/work" "$work/probe/merged"
  if unshare --mount mount -t overlay -o "lowerdir=$work/probe/lower,upperdir=$work/probe/upper,workdir=$work/probe/work" \
    overlay "$work/probe/merged" 2> /dev/null; then echo overlay; else echo vfs; fi > "$work/driver"
  rm -rf "$work/probe"
fi
driver=$(cat "$work/driver")

# buildah SUBCOMMAND ...
b() {
  subcommand=$1
  shift
  buildah --root "$work/$driver" --runroot "$work/$driver-run" --storage-driver "$driver" "$subcommand" "$@"
}
