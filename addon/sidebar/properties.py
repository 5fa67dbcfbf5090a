"""What the sidebar remembers: choices in the scene, saved and undone; the running job's state, which is neither."""

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...backend.motion.skeleton import JOINT_NAMES
from .keying_properties import POSE2POSE_PG_keying

PART_ITEMS = (
    ("HANDS", "Hands", "Capture the fingers of both hands. Otherwise they stay relaxed"),
    ("FACE", "Face", "Capture jaw, eyes and expression. Otherwise the face stays calm"),
)


def is_smplx(_settings: object, item: bpy.types.Object) -> bool:
    """Whether an object is an armature with the bones of SMPL-X."""
    return item.type == "ARMATURE" and all(name in item.data.bones for name in JOINT_NAMES)


class POSE2POSE_PG_settings(bpy.types.PropertyGroup):
    """What a person chose for the next capture."""

    kind: EnumProperty(
        name="Source",
        description="What is captured",
        items=(
            ("FILE", "File", "A video, a picture, or an image sequence"),
            ("CLIP", "Movie Clip", "A clip of the Movie Clip editor"),
        ),
    )
    filepath: StringProperty(name="File", description="A video, a picture, or a folder of pictures")
    clip: PointerProperty(name="Clip", description="A clip of the Movie Clip editor", type=bpy.types.MovieClip)
    use_sequence: BoolProperty(
        name="Image Sequence", description="Capture the numbered pictures that begin with this one, not this one alone"
    )
    sequence_rate: FloatProperty(
        name="Frame Rate",
        description="Frames a second of the image sequence. Pictures carry no times of their own",
        default=24.0,
        min=0.1,
        max=1000.0,
        precision=2,
    )
    use_range: BoolProperty(name="Frame Range", description="Capture only a part of the source")
    start: IntProperty(
        name="Start",
        description="First frame of the source to capture. 1 is its first, as in the Movie Clip editor",
        default=1,
        min=1,
    )
    end: IntProperty(name="End", description="Last frame of the source to capture. 1 is its first", default=250, min=1)
    step: IntProperty(
        name="Step",
        description="Capture every n-th frame. 2 takes half the time, and fast motion becomes less exact",
        default=1,
        min=1,
        soft_max=10,
    )
    use_focal: BoolProperty(
        name="Focal Length",
        description="Say what lens filmed, if you know it. Otherwise the file's own note or a guess",
    )
    focal: FloatProperty(
        name="Focal Length",
        description="Focal length of the lens in millimeters, on a sensor 36 mm wide, as in Blender's cameras",
        default=35.0,
        min=1.0,
        soft_max=200.0,
        unit="CAMERA",
    )
    people: EnumProperty(
        name="People",
        description="Who is captured",
        items=(
            ("ALL", "All", "Everybody who is seen; each gets an armature"),
            ("LARGEST", "Largest", "The one who is seen largest and longest"),
            ("PICK", "Pick", "Find the people first, then choose by their pictures"),
        ),
    )
    parts: EnumProperty(
        name="Parts",
        description="What is captured beside the body",
        items=PART_ITEMS,
        options={"ENUM_FLAG"},
        default={"HANDS", "FACE"},
    )
    target_kind: EnumProperty(
        name="Target",
        description="What gets the motion",
        items=(
            ("NEW", "New Armature", "Make an armature with a body for each person"),
            ("EXISTING", "Existing", "Put the motion onto an SMPL-X armature of this scene, as a new action"),
        ),
    )
    target: PointerProperty(
        name="Armature",
        description="An armature with the bones of SMPL-X: made here, or by the official SMPL-X add-on",
        type=bpy.types.Object,
        poll=is_smplx,
    )
    rate: EnumProperty(
        name="Scene Frame Rate",
        description="Keys stand at the source's own times in both cases",
        items=(
            ("KEEP", "Keep", "Keep the scene's frame rate. Keys may then stand between whole frames"),
            (
                "SOURCE",
                "From Source",
                "Set the scene to the source's. Other animation plays faster or slower",
            ),
        ),
    )
    use_camera: BoolProperty(
        name="Create Camera",
        description="Make the camera that filmed, with the source behind it. Sets the scene's camera and picture size",
    )
    keying: PointerProperty(type=POSE2POSE_PG_keying)


class POSE2POSE_PG_person(bpy.types.PropertyGroup):
    """Somebody whom a scan found."""

    number: IntProperty()
    frames: IntProperty()
    confidence: FloatProperty()
    use: BoolProperty(name="Capture", description="Capture this person")


class POSE2POSE_PG_state(bpy.types.PropertyGroup):
    """What is going on right now. In the window manager, so that undo leaves it alone."""

    task: StringProperty(description="What runs: 'capture', 'scan', or nothing")
    stage: StringProperty(description="In words")
    done: IntProperty(description="Frames")
    total: IntProperty(description="Frames; 0 = not known yet")
    rate: FloatProperty(description="Frames a second")
    seconds_left: FloatProperty(description="Negative = not known yet", default=-1.0)
    seen: IntProperty(description="People")
    error: StringProperty(description="One sentence")
    remedy: StringProperty(description="What to do about it")
    notes: StringProperty(description="What the last capture wants to be read, a sentence a line")
    summary: StringProperty(description="What the last capture did")
    people: CollectionProperty(type=POSE2POSE_PG_person)
    scanned: StringProperty(description="The selection that `people` were found in, as JSON")


classes = (POSE2POSE_PG_settings, POSE2POSE_PG_person, POSE2POSE_PG_state)
_register_classes, _unregister_classes = bpy.utils.register_classes_factory(classes)


def register() -> None:
    """Add `Scene.pose2pose` and `WindowManager.pose2pose`."""
    _register_classes()
    bpy.types.Scene.pose2pose = PointerProperty(type=POSE2POSE_PG_settings)
    bpy.types.WindowManager.pose2pose = PointerProperty(type=POSE2POSE_PG_state)


def unregister() -> None:
    """Take back what `register` did."""
    del bpy.types.WindowManager.pose2pose
    del bpy.types.Scene.pose2pose
    _unregister_classes()
