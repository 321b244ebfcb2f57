// Of an element's text against what is behind it: [ratio, luminance behind it], as WCAG 2 defines them.

(element) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  const layers = [];
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) layers.unshift(at);
  const paint = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
  };
  const luminance = () => {
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let opacity = 1;
  paint("white");
  for (const layer of layers) {
    const style = getComputedStyle(layer);
    opacity *= Number(style.opacity);
    canvas.globalAlpha = opacity;
    paint(style.backgroundColor);
  }
  const behind = luminance();
  paint(getComputedStyle(element).color);
  const text = luminance();
  return [(Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05), behind];
};
