"""The training step of raven's language model in ordinary PyTorch: units a second, as `raven bench lm` prints them.

    python tests/bench/lm_step.py --dim 128 --heads 4 --ffn 512 --blocks 4 --frames 2048 --utterance-length 32 --threads 1
    raven bench lm --config lm/small.yaml --frames 2048 --utterance-length 32 --threads 1 --json

Compare in one run on one machine, in turns. Needs PyTorch.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class LanguageModel(nn.Module):
    def __init__(self, units, embed, dim, heads, ffn, blocks, dropout):
        super().__init__()
        self.embed = nn.Embedding(units, embed)
        self.project = nn.Sequential(nn.Linear(embed, dim), nn.LayerNorm(dim), nn.Dropout(dropout), nn.ReLU())
        layer = nn.TransformerEncoderLayer(dim, heads, ffn, dropout, activation="relu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, blocks, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
        self.output = nn.Linear(dim, units)

    def forward(self, units):
        causal = nn.Transformer.generate_square_subsequent_mask(units.size(1), device=units.device)
        return self.output(self.blocks(self.project(self.embed(units)), mask=causal, is_causal=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("units", 1049), ("embed", 128), ("dim", 512), ("heads", 8), ("ffn", 2048), ("blocks", 16),
                        ("frames", 2048), ("utterance-length", 32), ("threads", 1), ("warmup", 2), ("steps", 10)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--dropout", type=float, default=0.1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    model = LanguageModel(given.units, given.embed, given.dim, given.heads, given.ffn, given.blocks, given.dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)
    sentences = given.frames // given.utterance_length
    text = torch.randint(2, given.units - 1, (sentences, given.utterance_length + 1))
    inputs, targets = text[:, :-1].contiguous(), text[:, 1:].contiguous()

    seconds = []
    for step in range(given.warmup + given.steps):
        begin = time.perf_counter()
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step >= given.warmup:
            seconds.append(time.perf_counter() - begin)
    print(json.dumps({"frames_per_s": inputs.numel() / statistics.median(seconds), "best_s": min(seconds), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
