// What a test asks of the page that it looks at.

function openAll(open = true) {
  for (const each of document.querySelectorAll("details")) each.open = open;
}

// What sticks out to the right with nothing around it that scrolls; empty where the page itself fits.
function stickingOut() {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const outside = [...document.body.querySelectorAll("*")].filter(
    (each) => each.getBoundingClientRect().right > clientWidth && !insideScroller(each),
  );
  return [`${scrollWidth} > ${clientWidth}`, ...outside.map((each) => each.outerHTML.slice(0, 80))];
}

function insideScroller(element) {
  return upwards(element.parentElement).some((each) => /auto|scroll/.test(getComputedStyle(each).overflowX));
}

function upwards(element) {
  return element ? [element, ...upwards(element.parentElement)] : [];
}

// The pieces of text that show, without those inside of what a selector names.
function shown(but = ":not(*)") {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (text.data.trim() && !text.parentElement.closest(but) && shows(text.parentElement)) found.push(text);
  }
  return found;
}

function shows(element) {
  return element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
}

// The pieces of text with less contrast than WCAG 2 wants of body text, each behind its contrast.
function faint() {
  const told = shown().map((text) => [contrast(text.parentElement), text.data.trim()]);
  return told.filter(([ratio]) => ratio < 4.5).map(([ratio, text]) => `${ratio.toFixed(2)}: ${text}`);
}

function contrast(element) {
  const style = getComputedStyle(element);
  const behind = ground(element);
  const ink = over(bytes(element instanceof SVGElement ? style.fill : style.color), behind, opacity(element));
  const [dark, light] = [luminance(ink), luminance(behind)].sort((one, other) => one - other);
  return (light + 0.05) / (dark + 0.05);
}

function ground(element) {
  const layers = upwards(element).map((each) => bytes(getComputedStyle(each).backgroundColor));
  return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 255]);
}

function opacity(element) {
  return upwards(element).reduce((product, each) => product * getComputedStyle(each).opacity, 1);
}

function over([red, green, blue, alpha], below, opacity = 1) {
  const share = (alpha / 255) * opacity;
  return [red, green, blue, 255].map((value, i) => share * value + (1 - share) * below[i]);
}

// A colour, however it is written, as red, green, blue and alpha.
function bytes(colour) {
  if (!bytes.known.has(colour)) {
    bytes.context.clearRect(0, 0, 1, 1);
    bytes.context.fillStyle = colour;
    bytes.context.fillRect(0, 0, 1, 1);
    bytes.known.set(colour, [...bytes.context.getImageData(0, 0, 1, 1).data]);
  }
  return bytes.known.get(colour);
}
bytes.known = new Map();
bytes.context = new OffscreenCanvas(1, 1).getContext("2d");

// Relative luminance, from 0 to 1, as WCAG 2 defines it.
function luminance(colour) {
  const [red, green, blue] = colour
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
