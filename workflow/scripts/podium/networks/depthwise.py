"""Depthwise convolution with a gradient that is fast on a CPU in bfloat16. Needs TensorFlow.

TensorFlow 2.21 runs the filter gradient of a 3 x 3 depthwise convolution through oneDNN; that of a larger
kernel, and the input gradient of a strided one in bfloat16, fall back to loops that take ten times as long.
"""

from typing import Any

import keras
import tensorflow as tf

from podium import device


def with_fast_gradients(network: keras.Model) -> keras.Model:
    """A network with the same weights and outputs and faster gradients; the same one unless in bfloat16 on a CPU."""
    if device.gpus() or not any(_slow(layer) for layer in network.layers):
        return network

    def copy(old: keras.Operation) -> keras.Operation:
        return (DepthwiseConv2D if _slow(old) else type(old)).from_config(old.get_config())

    clone = keras.models.clone_model(network, clone_function=copy)
    clone.set_weights(network.get_weights())
    return clone


def _slow(layer: keras.Operation) -> bool:
    """Whether this is a layer that our DepthwiseConv2D can replace."""
    if type(layer) is not keras.layers.DepthwiseConv2D or layer.compute_dtype != "bfloat16":
        return False
    plain = layer.use_bias and layer.activation is keras.activations.linear and layer.depth_multiplier == 1
    undilated = tuple(layer.dilation_rate) == (1, 1) and layer.strides[0] == layer.strides[1]
    return plain and undilated and layer.padding == "same" and tuple(layer.kernel_size) in {(3, 3), (5, 5)}


class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Keras's layer, equal up to rounding; for `same` padding, kernels of 3 and 5, depth multiplier 1."""

    def call(self, inputs: Any) -> Any:
        kernel = tf.convert_to_tensor(self.kernel)
        return tf.nn.bias_add(_convolve(inputs, tf.cast(kernel, inputs.dtype), self.strides[0]), self.bias)


def _convolve(inputs: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    strides = [1, stride, stride, 1]

    @tf.custom_gradient
    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return _input_gradient(inputs, kernel, upstream, stride), _kernel_gradient(inputs, kernel, upstream, stride)

        return tf.nn.depthwise_conv2d(inputs, kernel, strides, "SAME"), gradient

    return convolve(inputs, kernel)


def _input_gradient(inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor, stride: int) -> tf.Tensor:
    computed = inputs.dtype if stride == 1 else tf.float32
    found = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
        input_sizes=tf.shape(inputs),
        filter=tf.cast(kernel, computed),
        out_backprop=tf.cast(upstream, computed),
        strides=[1, stride, stride, 1],
        padding="SAME",
    )
    return tf.cast(found, inputs.dtype)


def _kernel_gradient(inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor, stride: int) -> tf.Tensor:
    """The 3 x 3 gradient, or a 5 x 5 gradient assembled from the 3 x 3 gradients of its four corners."""
    side = kernel.shape[0]
    sizes = tf.shape(upstream)[1:3]
    missing = tf.maximum((sizes - 1) * stride + side - tf.shape(inputs)[1:3], 0)
    before, after = missing // 2, missing - missing // 2
    padded = tf.pad(inputs, [[0, 0], [before[0], after[0]], [before[1], after[1]], [0, 0]])
    reach = (sizes - 1) * stride + 3

    def corner(top: int, left: int) -> tf.Tensor:
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=padded[:, top : top + reach[0], left : left + reach[1]],
            filter_sizes=[3, 3, inputs.shape[-1], 1],
            out_backprop=upstream,
            strides=[1, stride, stride, 1],
            padding="VALID",
        )

    if side == 3:
        return corner(0, 0)
    rows = [tf.concat([corner(top, 0), corner(top, 2)[:, 1:]], 1) for top in (0, 2)]
    return tf.concat([rows[0], rows[1][1:]], 0)
