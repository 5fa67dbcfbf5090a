"""Write the scene's figures as .blend, .fbx, .glb or .bvh, and their motion alone as AMASS's .npz."""

import math
from collections.abc import Sequence
from pathlib import Path

import bpy
from mathutils import Matrix

from ...backend.motion.amass import save_amass
from .build import Figure
from .rig import meshes_of
from .sampling import sample_take


def save_scene(path: Path, figures: Sequence[Figure]) -> None:
    """Write the scene in the format that the name's ending says.

    Args:
        path: ends in .blend, .fbx, .glb, .bvh or .npz.
        figures: whom to write; BVH and AMASS know one figure a file: further ones get `_2`, `_3` behind the name.

    Raises:
        ValueError: another ending.
    """
    writers = {
        ".blend": _save_blend, ".fbx": _export_fbx, ".glb": _export_glb, ".bvh": _export_bvh, ".npz": _export_npz,
    }  # fmt: skip
    suffix = path.suffix.lower()
    if suffix not in writers:
        raise ValueError(f"cannot write '{path}': the name must end in one of {', '.join(writers)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    writers[suffix](path.resolve(), figures)


def _save_blend(path: Path, figures: Sequence[Figure]) -> None:
    _select(figures)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, relative_remap=True)


def _export_fbx(path: Path, figures: Sequence[Figure]) -> None:
    _select(figures)
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"ARMATURE", "MESH"},
        add_leaf_bones=False,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )


def _export_glb(path: Path, figures: Sequence[Figure]) -> None:
    _select(figures)
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        export_format="GLB",
        use_selection=True,
        export_animation_mode="ACTIVE_ACTIONS",
        export_morph_normal=False,
        export_anim_slide_to_zero=True,
    )


def _export_bvh(path: Path, figures: Sequence[Figure]) -> None:
    scene = bpy.context.scene
    # Blender writes bones in the armature's axes; readers of BVH expect y up.
    to_y_up = Matrix.Rotation(-math.pi / 2, 4, "X")
    for number, figure in enumerate(figures, start=1):
        _select([figure])
        _turn_rest(figure.armature, to_y_up)
        bpy.ops.export_anim.bvh(
            filepath=str(_numbered(path, number)),
            frame_start=scene.frame_start,
            frame_end=scene.frame_end,
            rotate_mode="ZXY",
            root_transform_only=True,
        )
        _turn_rest(figure.armature, to_y_up.inverted())


def _export_npz(path: Path, figures: Sequence[Figure]) -> None:
    for number, figure in enumerate(figures, start=1):
        save_amass(sample_take(figure.armature, bpy.context.scene), _numbered(path, number))


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_stem(f"{path.stem}_{number}")


def _turn_rest(armature: bpy.types.Object, turn: Matrix) -> None:
    """The pose goes along: it is relative to the rest bones."""
    armature.data.transform(turn)
    armature.data.update_tag()
    bpy.context.view_layer.update()


def _select(figures: Sequence[Figure]) -> None:
    for item in bpy.context.scene.objects:
        item.select_set(False)
    for figure in figures:
        figure.armature.select_set(True)
        for mesh in meshes_of(figure.armature):
            mesh.select_set(True)
    bpy.context.view_layer.objects.active = figures[0].armature
