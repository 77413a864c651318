import numpy as np
import pytest
from conftest import TASK

from podium.predictions.temperature import as_sure, fitted


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


tempered = TASK.link.tempered
LOGITS = 2 * np.random.default_rng(0).normal(size=(500, 5))


def test_scaling_divides_the_logits_and_one_leaves_every_bit() -> None:
    np.testing.assert_allclose(tempered(softmax(LOGITS), 2.5), softmax(LOGITS / 2.5), atol=1e-6)
    np.testing.assert_allclose(tempered(tempered(softmax(LOGITS), 2.5), 1 / 2.5), softmax(LOGITS), atol=1e-5)
    odd = softmax(LOGITS) * np.float32(0.999)  # such as a mean that was rounded
    assert np.array_equal(tempered(odd, 1.0), odd)
    sure = np.array([[1, 0, 0]], np.float32)
    np.testing.assert_allclose(tempered(sure, 3.0), sure, atol=1e-12)


def test_a_fitted_temperature_stays_in_its_range_and_is_1_without_photos() -> None:
    right = softmax(LOGITS).argmax(1)
    assert fitted(TASK, right, softmax(LOGITS)) == pytest.approx(0.2, rel=1e-3)
    assert fitted(TASK, (right + 1) % 5, softmax(LOGITS)) == pytest.approx(5, rel=1e-3)
    assert fitted(TASK, right[:0], softmax(LOGITS[:0])) == 1


def test_a_mean_becomes_as_sure_as_its_parts_and_stays_where_it_is_surer() -> None:
    random = np.random.default_rng(1)
    parts = [softmax(LOGITS + 2 * random.normal(size=LOGITS.shape)) for _ in range(4)]
    mean = np.mean(parts, axis=0)
    sure = np.mean([tempered(part, 1.4).max(1).mean() for part in parts])
    assert tempered(mean, 1.4).max(1).mean() < sure - 0.05
    temperature = as_sure(TASK, mean, parts, 1.4)
    assert temperature < 1.2
    assert tempered(mean, temperature).max(1).mean() == pytest.approx(sure, abs=1e-4)
    assert as_sure(TASK, parts[0], parts[:1], 1.4) == 1.4
    assert as_sure(TASK, softmax(3 * LOGITS), [softmax(LOGITS), softmax(LOGITS)], 0.7) == 0.7
