// Drawing no more often than the screen shows it.

/**
 * Asks for a drawing with the next frame of the screen: however often it is asked for until then, it is done once.
 * @param {() => void} draw
 * @returns {() => void}
 */
export function onceAFrame(draw) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      draw();
    });
  };
}
