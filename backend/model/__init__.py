"""The Pose2Pose network: body, box, hand and face branches, and its presets."""
