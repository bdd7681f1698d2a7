// Browsers start no worker for a page that is read from the disk, and the search runs in one. So the
// worker's script is run in a hidden frame there, which sends and receives messages as a worker does.
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      // `parent` is what the worker's messages go to.
      this.frame.srcdoc = `<script>postMessage = message => parent.postMessage(message, "*")</script>
        <script src="${new URL(url, location)}"></script>`
      this.frame.onload = () => {
        this.loaded = true
        this.waiting.splice(0).forEach(message => this.postMessage(message))
      }
      addEventListener("message", event => {
        if (event.source !== this.frame.contentWindow) return
        const copy = new MessageEvent("message", { data: event.data })
        this.dispatchEvent(copy)
        if (this.onmessage) this.onmessage(copy)
      })
      document.body.append(this.frame)
    }

    postMessage(message) {
      if (!this.loaded) this.waiting.push(message)
      else this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data: message }))
    }

    terminate() {
      this.frame.remove()
    }
  }
