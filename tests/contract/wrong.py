"""Commands that fail, one a line. Words in capitals stand for files and directories, see ``failures.py``."""

from __future__ import annotations

OUT = "-o PLACE/x.mtc --coding classical --effort fast"
COMMANDS = f"""
encode NOWHERE {OUT}
encode FILE {OUT}
encode EMPTY {OUT}
encode SCENE -o FILE/
encode SCENE -o NOWHERE/a/x.mtc
encode SCENE
encode
encode DATA {OUT}
encode DATA -o -
encode DATA SCENE NOWHERE -o PLACE/out
encode SCENE SCENE -o PLACE/out
encode SCENE -o FILE
encode SCENE -o FILE --quiet --json
encode SCENE {OUT} --tasks glow
encode SCENE {OUT} --tasks rgb,rgb
encode SCENE {OUT} --quality 101
encode SCENE {OUT} --quality -1
encode SCENE {OUT} --quality best
encode SCENE {OUT} --quality depth=
encode SCENE {OUT} --quality glow=3
encode SCENE {OUT} --quality semantic=9
encode SCENE {OUT} --max-error depth
encode SCENE {OUT} --max-error depth=-1
encode SCENE {OUT} --max-error depth=5km
encode SCENE {OUT} --max-error rgb=5mm
encode SCENE {OUT} --lossless glow
encode SCENE {OUT} --target-psnr rgb=38 --target-bytes 900
encode SCENE {OUT} --target-psnr rgb=38 --quality 30
encode SCENE {OUT} --target-psnr semantic=38
encode SCENE {OUT} --target-psnr rgb=nan
encode SCENE {OUT} --target-psnr rgb=98
encode SCENE {OUT} --target-bytes 1
encode SCENE {OUT} --target-bytes 0
encode SCENE {OUT} --target-bytes many
encode SCENE {OUT} --target-bpp nan
encode SCENE {OUT} --target-bpp 1 --target-bytes 9
encode SCENE {OUT} --unit depth=5
encode SCENE {OUT} --unit depth=0mm
encode SCENE {OUT} --unit rgb=1mm
encode SCENE {OUT} --invalid depth
encode SCENE {OUT} --invalid depth=a
encode SCENE {OUT} --invalid depth=1,2
encode SCENE {OUT} --invalid glow=1
encode SCENE {OUT} --invalid semantic=1
encode SCENE {OUT} --task heat
encode SCENE {OUT} --task heat:nothing
encode SCENE {OUT} --task heat:image:99
encode SCENE {OUT} --task depth:color
encode SCENE {OUT} --rename a
encode SCENE {OUT} --attach nowhere.json
encode SCENE {OUT} --attach ../scene
encode SCENE {OUT} --effort lazy
encode SCENE -o PLACE/x.mtc --coding magic
encode SCENE -o PLACE/x.mtc --weights nope
encode SCENE -o PLACE/x.mtc --weights NOWHERE.safetensors
encode SCENE -o PLACE/x.mtc --weights NOISE
encode SCENE -o PLACE/x.mtc --device abacus
encode SCENE {OUT} --threads -1
encode SCENE {OUT} --jobs many
encode SCENE {OUT} --frobnicate
encode --files-from NOWHERE {OUT}
encode BROKEN {OUT}
encode BROKEN -o PLACE/out --skip-errors
encode SIZES {OUT}
encode CHANNELS {OUT}
encode DTYPE {OUT}
encode TEXT {OUT}
info NOWHERE
info EMPTY
info NOTHING
info NOISE
info CUT
info FLIPPED
info LONGER
info FILE FILE
info -
decode NOWHERE -o PLACE/out
decode NOISE -o PLACE/out
decode CUT -o PLACE/out
decode FLIPPED -o PLACE/out
decode NEWER -o PLACE/out
decode HALF -o PLACE/out
decode HALF -o PLACE/out --skip-errors
decode LONGER -o PLACE/out
decode FILE -o FILE
decode FILE -o -
decode -
decode BARE
decode FILE --tasks glow
decode FILE --tasks shared -o PLACE/out
decode FILE -o SCENE
decode FILE -o PLACE/out --device abacus
decode FILE -o PLACE/out --max-pixels 100
decode FILE -o PLACE/out --weights nope
decode SMALL -o PLACE/out
extract FILE --tasks rgb
extract FILE -o PLACE/x.mtc
extract FILE --tasks glow -o PLACE/x.mtc
extract FILE --tasks rgb -o EMPTY
extract FILE --tasks rgb -o BARE
extract CUT --tasks rgb -o PLACE/x.mtc
extract NOISE --tasks rgb -o PLACE/x.mtc
verify NOWHERE
verify FILE CUT
verify FLIPPED
verify NOISE
verify HALF
verify BENT
pack NOWHERE -o PLACE/new
pack EMPTY -o PLACE/new
pack SCENE -o FILE
pack SCENE
pack SCENE -o ARCHIVE --workers 1
pack DATA -o ARCHIVE --workers 1 --quality 3
pack DATA -o EMPTY/x/y --workers 1 --coding classical --tasks glow
pack BROKEN -o PLACE/new --workers 1
pack SCENE -o PLACE/new --engine carrier
unpack NOWHERE -o PLACE/out
unpack EMPTY -o PLACE/out
unpack ARCHIVE
unpack ARCHIVE -o PLACE/out --tasks glow
unpack ARCHIVE -o PLACE/out --keys nobody
unpack ARCHIVE -o FILE --workers 1
unpack BENT -o PLACE/out --workers 1
info BENT
extract ARCHIVE --tasks glow -o PLACE/new
extract ARCHIVE --tasks depth -o ARCHIVE
archive
archive merge ARCHIVE ARCHIVE -o PLACE/new
archive merge ARCHIVE NOWHERE -o PLACE/new
archive split ARCHIVE -o PLACE/new
archive split ARCHIVE -o PLACE/new --parts 9
archive split ARCHIVE -o PLACE/new --keys NOWHERE
archive sample ARCHIVE -o PLACE/new --scenes 0
archive sample ARCHIVE -o PLACE/new --scenes 99
compare SCENE NOWHERE
compare SCENE FILE
compare SCENE DATA
compare SCENE SCENE --tasks glow
compare SCENE SCENE --fail-below rgb=x
stats NOWHERE
stats EMPTY
stats DATA --tasks glow
stats DATA --quality x
view NOWHERE
view NOISE -o PLACE/x.html
view FILE -o BARE
bench NOWHERE
evaluate EMPTY
weights
weights show nope
weights show NOISE
analyze nothing
frobnicate
"""
