REACHED=" profile.bashrc"
