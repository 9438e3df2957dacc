"""A writer on this machine: a transformers model by path or hub id. The home of torch in serving, for those who ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from retrieval.errors import BadInput, Unavailable


class Local:
    """One text at a time; torch and the model are loaded when this is made. `model` may be a GGUF file."""

    def __init__(self, model: str, *, max_tokens: int = 120) -> None:
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise BadInput("a local writer needs transformers and torch; pip install 'deskhand'") from error
        path = Path(model)
        told = {"gguf_file": path.name} if path.suffix == ".gguf" else {}
        place = str(path.parent) if told else model
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(place, **told)
            self._model = AutoModelForCausalLM.from_pretrained(place, **told).eval()
        except (OSError, ValueError, ImportError) as error:
            raise BadInput(f"the writer {model!r} cannot be loaded: {error}; give a path or a hub id") from error
        self._max_tokens = max_tokens
        self._lock = threading.Lock()

    def stream(self, system: str, user: str, *, deadline: float) -> Iterator[str]:
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList

        class Late(StoppingCriteria):  # type: ignore[misc]
            def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
                late = time.monotonic() > deadline
                return torch.full((input_ids.shape[0],), late, dtype=torch.bool, device=input_ids.device)

        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise Unavailable("the local writer is busy")
        try:
            asked = self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            with torch.inference_mode():
                out = self._model.generate(
                    **asked,
                    max_new_tokens=self._max_tokens,
                    do_sample=False,
                    stopping_criteria=StoppingCriteriaList([Late()]),
                )
            if time.monotonic() > deadline:
                raise Unavailable("the local writer took too long")
            yield self._tokenizer.decode(out[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
        finally:
            self._lock.release()
