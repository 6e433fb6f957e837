// A slide that is higher than the screen gets smaller letters, and its figures less height.
const height = 720;
function fit(slide) {
  if (!slide || slide.dataset.fitted) return;
  slide.dataset.fitted = "yes";
  for (let scale = 0.95; slide.scrollHeight > height && scale > 0.5; scale -= 0.05) {
    slide.style.setProperty("--scale", scale);
  }
}
Reveal.on("ready", event => fit(event.currentSlide));
Reveal.on("slidechanged", event => fit(event.currentSlide));
Reveal.initialize({
  width: 1280, height, margin: 0.04, center: false, hash: true, slideNumber: "c/t", transition: "none",
  plugins: [RevealNotes],
});
