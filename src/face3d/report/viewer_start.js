/* Curves over time follow the slider, and the slider follows a click on a curve; then every scene of the page begins. */
function linked(viewer) {
  const curves = [...document.querySelectorAll("svg[data-time]")].map((svg) => {
    const [first, last, left, right, top, bottom] = svg.dataset.time.split(" ").map(Number);
    const cursor = document.createElementNS(svg.namespaceURI, "line");
    for (const [name, value] of Object.entries({ class: "cursor", y1: top, y2: bottom, x1: left, x2: left })) cursor.setAttribute(name, value);
    svg.append(cursor);
    svg.addEventListener("click", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      viewer.at(first + ((at.x - left) / (right - left)) * (last - first));
    });
    return (time) => {
      const x = left + ((time - first) / (last - first)) * (right - left);
      for (const end of ["x1", "x2"]) cursor.setAttribute(end, x);
      cursor.style.visibility = x < left - 0.5 || x > right + 0.5 ? "hidden" : "visible";
    };
  });
  viewer.root.addEventListener("face3d:time", (event) => curves.forEach((move) => move(event.detail)));
  viewer.choose(viewer.chosen);
}

for (const root of document.querySelectorAll("[data-scene]")) {
  try {
    const viewer = new Viewer(root);
    if (viewer.range) linked(viewer);
  } catch (error) {
    root.classList.remove("live");
    root.dataset.failed = error.message; // the pictures stay
  }
}
