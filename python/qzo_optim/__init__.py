"""AdamW with 4- and 8-bit states (arXiv 2309.01507) for PyTorch on CPUs, in place of torch.optim.AdamW."""

import pathlib

import torch

torch.ops.load_library(pathlib.Path(__file__).parent / "libqzo_torch_ops.so")

__all__ = ["AdamW4bit", "AdamW8bit"]


class _AdamW(torch.optim.Optimizer):
    """states: how moments of tensors with more than `threshold` elements are kept; smaller ones are fp32. Gradients have to
    be finite, as for torch's optimizers (GradScaler sees to that); with `skip_nonfinite` a step whose gradients hold a NaN
    or an infinity changes nothing and is counted in `skipped_steps`, for one more pass over them. bfloat16 weights are
    rounded stochastically from `seed`, or to nearest."""

    def __init__(self, params, states, lr, betas, eps, weight_decay, threshold, skip_nonfinite, stochastic_rounding, seed):
        if not (lr >= 0 and eps >= 0 and weight_decay >= 0 and all(0 <= beta < 1 for beta in betas)):
            raise ValueError(f"lr {lr}, eps {eps}, weight_decay {weight_decay} must not be negative and betas {betas} lie in [0, 1)")
        self._states, self._threshold, self._stochastic, self._seed = states, threshold, stochastic_rounding, seed
        self._skip_nonfinite, self.skipped_steps = skip_nonfinite, 0
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def _state(self, p):
        state = self.state[p]
        if not state:
            state["step"] = 0
            for key, second in (("exp_avg", False), ("exp_avg_sq", True)):
                plain = p.numel() <= self._threshold
                state[f"{key}_codes"], state[f"{key}_scales"] = torch.ops.qzo.new_state(self._states, second, p.shape, plain)
        return state

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        every = [p for group in self.param_groups for p in group["params"]]
        ids = {p: i for i, p in enumerate(every)}
        gradients = {p: p.grad.contiguous() for p in every if p.grad is not None}
        if not gradients:
            return loss
        if self._skip_nonfinite and not torch.ops.qzo.gradients_finite(list(gradients.values())):
            self.skipped_steps += 1
            return loss
        for group in self.param_groups:
            params = [p for p in group["params"] if p in gradients]
            if not params:
                continue
            states = [self._state(p) for p in params]
            for state in states:
                state["step"] += 1
            parts = [[state[f"{key}_{part}"] for state in states] for key in ("exp_avg", "exp_avg_sq") for part in ("codes", "scales")]
            steps = [state["step"] for state in states]
            torch.ops.qzo.adamw_step(self._states, params, [gradients[p] for p in params], *parts, steps, [ids[p] for p in params],
                                     float(group["lr"]), *group["betas"], group["eps"], group["weight_decay"], self._stochastic,
                                     self._seed, max(steps))
        return loss

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        # torch casts states to the type of the parameter: scales stay fp32.
        saved = [i for group in state_dict["param_groups"] for i in group["params"]]
        own = [p for group in self.param_groups for p in group["params"]]
        for i, p in zip(saved, own):
            for key, value in state_dict["state"].get(i, {}).items():
                self.state[p][key] = value.clone() if torch.is_tensor(value) else value

    def state_bytes(self):
        return sum(t.untyped_storage().nbytes() for state in self.state.values() for t in state.values() if torch.is_tensor(t))


class AdamW4bit(_AdamW):
    """rank1: second moments with a scale for each row and column (the paper's choice), otherwise for each 128 elements."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, *, rank1=True, threshold=4096,
                 skip_nonfinite=False, stochastic_rounding=True, seed=0):
        super().__init__(params, "4bit_rank1" if rank1 else "4bit_block", lr, betas, eps, weight_decay, threshold, skip_nonfinite,
                         stochastic_rounding, seed)


class AdamW8bit(_AdamW):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, *, threshold=4096,
                 skip_nonfinite=False, stochastic_rounding=True, seed=0):
        super().__init__(params, "8bit", lr, betas, eps, weight_decay, threshold, skip_nonfinite, stochastic_rounding, seed)
