"""pose2pose: video of people to keyframes on an SMPL-X armature.

This folder is both the pip package `pose2pose` and the Blender extension `pose2pose`. Blender calls
`register` and `unregister`; everything else imports `pose2pose.backend` or `pose2pose.training`.
"""


def register() -> None:
    """Register the extension's classes. Called by Blender."""
    from . import addon

    addon.register()


def unregister() -> None:
    """Unregister the extension's classes. Called by Blender."""
    from . import addon

    addon.unregister()
