@echo off
cd /d "%USERPROFILE%\redundancy-course\student" || (echo Run install.cmd first. & pause & exit /b 1)
"%USERPROFILE%\redundancy-course\python\Scripts\python" -m jupyter lab
