"""Small building blocks that several heads share."""

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """LayerNorm, linear, ReLU, linear, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, width)
        self.contract = nn.Linear(width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, C) -> (B, C)."""
        out: Tensor = hidden + self.contract(self.expand(self.norm(hidden)).relu())
        return out


class FeatureInjection(nn.Module):
    """A linear map without bias that starts at zero, so that picture features join a head trained on geometry alone.

    While training, whole feature vectors are dropped with probability `drop`. The rest is not scaled up: the head has
    to work with and without features, and evaluation always has them.
    """

    def __init__(self, features: int, hidden: int, drop: float = 0.25) -> None:
        super().__init__()
        if not 0 <= drop < 1:
            raise ValueError(f"drop must be in [0, 1). Got {drop}")
        self.linear = nn.Linear(features, hidden, bias=False)
        nn.init.zeros_(self.linear.weight)
        self.drop = drop

    def forward(self, features: Tensor) -> Tensor:
        """(B, G) features -> (B, C) to be added to the hidden vector."""
        if self.training and self.drop > 0:
            keep = features.new_empty(features.shape[0], 1).bernoulli_(1 - self.drop)
            features = features * keep
        out: Tensor = self.linear(features)
        return out


class ResidualMLP(nn.Module):
    """Linear, residual blocks, linear; picture features may be injected after the first layer.

    All biases start at zero, so a zero input gives a zero output until training.

    Args:
        input_size: length of the geometry vector.
        output_size: length of the output.
        hidden: width C.
        blocks: number of residual blocks.
        features: length G of the optional feature vector; 0 for none.
        feature_drop: probability of dropping a whole feature vector while training.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        hidden: int,
        blocks: int,
        features: int = 0,
        feature_drop: float = 0.25,
    ) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, hidden)
        self.injection = FeatureInjection(features, hidden, feature_drop) if features else None
        self.blocks = nn.ModuleList(ResidualBlock(hidden) for _ in range(blocks))
        self.output = nn.Linear(hidden, output_size)
        for module in self.modules():
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, geometry: Tensor, features: Tensor | None = None) -> Tensor:
        """Apply the network.

        Args:
            geometry: (B, F).
            features: (B, G), or None to run on geometry alone, which equals features of zero.

        Returns:
            (B, O).

        Raises:
            ValueError: features are given to a network built without them.
        """
        hidden = self.input(geometry)
        if features is not None:
            if self.injection is None:
                raise ValueError(f"this network was built without features; got some of shape {tuple(features.shape)}")
            hidden = hidden + self.injection(features)
        for block in self.blocks:
            hidden = block(hidden)
        out: Tensor = self.output(hidden)
        return out
